"""ExMus: exercises and the muscles they work, recognised from plain phone video."""

__version__ = "0.1.0"


def predict(video, run):
    """Probabilities of one video file under a finished run: see `exmus_lib.networks.predict.predict`."""
    from exmus_lib.networks.predict import predict as predict_video

    return predict_video(video, run)
