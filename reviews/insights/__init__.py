"""How it is going: figures over a period, each a table, most with a picture of it. Nothing is written."""
