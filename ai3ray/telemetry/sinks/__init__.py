"""What follows the engine, one file per sink: a class that implements `Observer`, and its `create`."""
