"""Programs on PyTensor: their graphs, and the verdict on what comes out of them."""
