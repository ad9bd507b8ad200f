"""ExMus: exercises and the muscles they work, recognised from plain phone video."""

__version__ = "0.2.0"

# What takes longest to import (lightning, torchmetrics, torchvision, pytorchvideo, scikit-learn, seaborn, numba) is imported
# in the functions that need it, so that the first cell of a notebook, or a run that is only loaded, does not wait for it;
# SciPy's parts come by themselves at their first use as scipy.stats and so on. tests/test_startup.py watches over it.


def predict(video, runs=None, task="exercise"):
    """Probabilities of one video file, label -> probability, highest first, as a pandas.Series.

    Without `runs` the networks that come with ExMus answer, which know real people: see `exmus_lib.networks.recognise.recognise`,
    which tells more. `runs` are finished trainings of your own: see `exmus_lib.networks.predict.predict`; their task counts.
    """
    if runs is None:
        from exmus_lib.networks.recognise import answer

        return answer(video, task)
    from exmus_lib.networks.predict import predict as predict_video

    return predict_video(video, runs)
