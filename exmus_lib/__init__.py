"""ExMus: exercises and the muscles they work, recognised from plain phone video."""

__version__ = "0.2.0"


def predict(video, runs):
    """Probabilities of one video file under finished runs: see `exmus_lib.networks.predict.predict`."""
    from exmus_lib.networks.predict import predict as predict_video

    return predict_video(video, runs)
