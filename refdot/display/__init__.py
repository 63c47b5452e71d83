"""Display a lowering: as text and as a picture."""
