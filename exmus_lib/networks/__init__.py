"""Networks: built, given weights, trained, asked; torch lives here."""

import warnings

# PyTorchVideo scripts its activations on import; its users cannot change that.
warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated", category=FutureWarning)
