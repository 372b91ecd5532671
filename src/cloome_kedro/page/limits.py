"""Limits of what the page accepts."""

#: bytes of a request; an upload is one
LARGEST_REQUEST = 128 << 20
#: bytes of one image file
LARGEST_FILE = 48 << 20
#: bytes of one decoded image: 4,096 x 4,096 pixels of 16 bits
LARGEST_IMAGE = 32 << 20
#: characters of a SMILES
LONGEST_SMILES = 2_000
#: characters of a name, such as that of a field or compound
LONGEST_NAME = 500
#: hits of an answer
MOST_HITS = 100
#: fields, and compounds, on the map of the embedding space
MOST_POINTS = 5_000
