"""Make the session dataset from the neural data and the behaviour in an NWB file."""
