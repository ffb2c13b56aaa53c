"""Notes as a JSON API: paths, methods, a query, and statuses. The notes live in the worker's memory."""

import itertools
import json

numbers = itertools.count(1)
notes = {}


class Refusal(Exception):
    """A request that can't be met."""

    def __init__(self, status, error):
        super().__init__(error)
        self.status = status


def handler(event, context):
    method = event["requestContext"]["http"]["method"]
    path = [part for part in event["rawPath"].split("/") if part]
    try:
        if path == ["notes"]:
            return answer_list(method, event)
        if len(path) == 2 and path[0] == "notes":
            return answer_note(method, path[1])
        raise Refusal(404, "there are only /notes and /notes/ID")
    except Refusal as refusal:
        return answer(refusal.status, {"error": str(refusal)})


def answer_list(method, event):
    if method == "GET":
        words = event.get("queryStringParameters", {}).get("contains", "")
        return answer(200, [note for note in notes.values() if words in note["text"]])
    if method == "POST":
        note = {"id": next(numbers), "text": text_of(event.get("body"))}
        notes[note["id"]] = note
        return answer(201, note)
    raise Refusal(405, f"/notes takes GET and POST, not {method}")


def answer_note(method, number):
    note = notes.get(int(number)) if number.isdecimal() else None
    if note is None:
        raise Refusal(404, f"there is no note {number}")
    if method == "GET":
        return answer(200, note)
    if method == "DELETE":
        del notes[note["id"]]
        return {"statusCode": 204}
    raise Refusal(405, f"/notes/ID takes GET and DELETE, not {method}")


def text_of(body):
    try:
        text = json.loads(body or "")["text"]
    except (ValueError, KeyError, TypeError):
        text = None
    if not isinstance(text, str):
        raise Refusal(400, 'write the note as {"text": "…"}')
    return text


def answer(status, value):
    return {"statusCode": status, "body": value}
