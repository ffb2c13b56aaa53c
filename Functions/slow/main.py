"""Takes its time, to show deadlines and what a busy pool looks like."""

import time


def handler(event, context):
    try:
        seconds = float(event.get("queryStringParameters", {}).get("seconds", "0.5"))
    except ValueError:
        return {"statusCode": 400, "body": {"error": "seconds must be a number"}}
    left = context.get_remaining_time_in_millis()
    time.sleep(max(0, seconds))
    return {"slept": seconds, "hadUntilDeadline": f"{left / 1000:.0f} s"}
