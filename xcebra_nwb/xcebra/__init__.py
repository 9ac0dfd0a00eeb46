"""The method: pairs, encoder, loss, training, Jacobian, maps. numpy, scipy and torch only."""
