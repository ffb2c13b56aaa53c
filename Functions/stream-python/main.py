"""Answers piece by piece: the caller sees each line when it is made."""

import time

COUNT_MAX = 100


def handler(event, context):
    start = event.get("queryStringParameters", {}).get("from", "3")
    if not start.isdecimal() or int(start) > COUNT_MAX:
        return {"statusCode": 400, "body": f"from must be a number up to {COUNT_MAX}\n"}
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain; charset=utf-8"},
        "body": count_down(int(start)),
    }


def count_down(start):
    for number in range(start, 0, -1):
        yield f"{number}\n"
        time.sleep(0.1)
    yield "lift-off\n"
