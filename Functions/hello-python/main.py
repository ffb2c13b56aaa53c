"""Greets whoever the input names."""

import json


def handler(event, context):
    # Over HTTP the input is the body of the request; from a job or `taibai invoke` it is the event itself.
    data = json.loads(event.get("body") or "{}") if "requestContext" in event else event
    name = data.get("name", "world")
    print(f"greeting {name}")
    return {"message": f"Hello, {name}!"}
