"""Programs: compositions of dots, as data; their values with error bounds, and their gradients."""
