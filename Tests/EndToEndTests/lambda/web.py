"""A Flask application, made a handler by apig-wsgi."""

from apig_wsgi import make_lambda_handler
from flask import Flask, request

app = Flask(__name__)


@app.route("/hello/<name>", methods=["GET", "POST"])
def hello(name):
    return f"hello {name}, {request.args.get('q')}, {request.get_data(as_text=True)}", 200, {"X-Made": "flask"}


@app.route("/bytes")
def raw():
    return bytes(range(256)), 200, {"Content-Type": "application/octet-stream"}


handler = make_lambda_handler(app, binary_support=True)
