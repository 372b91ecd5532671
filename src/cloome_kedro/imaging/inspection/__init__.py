"""Look at a screen before it is ingested: what is complete, what a few images are like, and what it will cost.

`fields` judges the fields and wells that the sources list, `images` reads a few fields of each plate, `doubled` looks
for files with the same content. Each returns findings, and changes nothing.
"""
