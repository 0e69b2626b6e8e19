"""How long the user works on a result, and with how many strokes, until it is accepted as a case."""
