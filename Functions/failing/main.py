"""Raises, to show what becomes of an error."""

ACCOUNTS = {"7": "Ada"}


def handler(event, context):
    number = event.get("queryStringParameters", {}).get("account", "42")
    return {"owner": owner(number)}


def owner(number):
    if number not in ACCOUNTS:
        raise LookupError(f"there is no account {number}")
    return ACCOUNTS[number]
