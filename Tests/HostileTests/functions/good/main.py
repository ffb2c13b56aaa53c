def handler(event, context):
    return {"good": True}
