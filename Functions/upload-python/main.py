"""Takes a body of any size piece by piece and answers with its length and checksum."""

import hashlib


def handler(event, context):
    checksum, length = hashlib.sha256(), 0
    for chunk in context.body:
        checksum.update(chunk)
        length += len(chunk)
    return {"bytes": length, "sha256": checksum.hexdigest()}


# Without this the body is read whole before the handler begins, and stands in event["body"].
handler.streaming = True
