"""Makes docs/openapi.json of docs/openapi.yaml, or says whether it is: `openapi.py [--check]`."""

import json
import pathlib
import sys

import yaml

docs = pathlib.Path(__file__).resolve().parent.parent / "docs"
document = yaml.safe_load((docs / "openapi.yaml").read_text(encoding="utf-8"))
text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
made = docs / "openapi.json"
if "--check" not in sys.argv[1:]:
    made.write_text(text, encoding="utf-8")
elif not made.exists() or made.read_text(encoding="utf-8") != text:
    sys.exit("openapi: docs/openapi.json is not what docs/openapi.yaml says: run `make openapi`")
