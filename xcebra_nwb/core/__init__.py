"""What all rooms agree on: config, session dataset, result files, receipts and errors, without torch."""
