"""What runs the flows elsewhere than on the user's machine; shipped in the wheel."""
