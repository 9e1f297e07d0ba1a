"""An engine in a process of its own: `python engine_process.py write|read <settings as JSON> <folder>`.

`write` saves one generation after the other until it is killed: each into a temporary folder that gets its
name when it is complete, as a gallery does; `read` opens the last one and prints what it finds.
"""

import json
import sys
from itertools import count
from pathlib import Path

from engine_cases import build
from galleries_of_vectors import clustered, some_ids


def generation(number):
    """Vectors and ids [400] of a generation."""
    return clustered(400, seed=number), some_ids(400, seed=number)


def write(settings, folder):
    """Save generations; each is built and changed until it is what `generation` says."""
    index = build(*settings)
    for number in count(1):
        vectors, ids = generation(number)
        index.build(vectors[:300], ids[:300])
        index.add(vectors[250:] + 1, ids[250:])
        index.remove(ids[:10])
        index.add(vectors, ids)
        temporary = folder / f".{number}"
        temporary.mkdir()
        index.save(temporary)
        temporary.rename(folder / str(number))
        print(number, flush=True)


def last(folder):
    """Say which generation is the last that is complete."""
    return max(int(path.name) for path in folder.iterdir() if path.name.isdecimal())


def read(settings, folder):
    """Print what the last generation answers to its first vectors, and with a filter."""
    number = last(folder)
    vectors, ids = generation(number)
    index = build(*settings)
    index.load(folder / str(number), vectors, ids)
    found = [index.search(vectors[:5], 10), index.search(vectors[:5], 10, ids[::9])]
    print(json.dumps({"generation": number, "ids": [one.ids.tolist() for one in found], "size": len(index)}))


if __name__ == "__main__":
    verb, told, where = sys.argv[1:]
    if verb == "read":
        read(json.loads(told), Path(where))
    else:
        write(json.loads(told), Path(where))
