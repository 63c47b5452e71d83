"""What a lowering costs to compile."""
