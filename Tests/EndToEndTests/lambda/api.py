"""Two applications as their authors write them for AWS Lambda."""

from fastapi import FastAPI, HTTPException
from mangum import Mangum
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str
    price: float = 1.5


@app.get("/items/{number}")
def item(number: int, q: str | None = None):
    if number == 404:
        raise HTTPException(404, "no such item")
    return {"number": number, "q": q}


@app.post("/items", status_code=201)
async def create(item: Item):
    return item


handler = Mangum(app, lifespan="off")
