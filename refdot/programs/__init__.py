"""Programs: compositions of dots as data, and their values with bounds."""
