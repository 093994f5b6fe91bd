"""The science of ChromBPNet: pure model and data logic, free of orchestration and clouds."""
