"""Powertools: its logger, its router and its parser of events, as in its own documentation."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="shop", level="INFO")
app = LambdaFunctionUrlResolver()


@app.get("/orders/<number>")
def order(number):
    logger.info("asked for an order", extra={"number": number})
    return {"order": number, "q": app.current_event.query_string_parameters}


@app.post("/orders")
def create():
    return Response(status_code=201, content_type="text/plain", body=f"made {app.current_event.json_body['name']}")


@logger.inject_lambda_context
def handler(event: dict, context: LambdaContext) -> dict:
    return app.resolve(event, context)
