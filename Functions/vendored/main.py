"""Bends words with a package from PyPI that lies in this folder."""

import inflection  # found in vendor/


def handler(event, context):
    word = event.get("queryStringParameters", {}).get("word")
    if not word:
        return {"statusCode": 400, "body": {"error": "say which word: ?word=octopus"}}
    return {
        "singular": inflection.singularize(word),
        "plural": inflection.pluralize(word),
        "class": inflection.camelize(inflection.parameterize(word, "_")),
    }
