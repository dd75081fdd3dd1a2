"""A router whose endpoint forgot to say whom it is for."""

from fastapi import APIRouter

router = APIRouter(prefix="/v1")


@router.get("/forgotten")
async def forgotten() -> str:
    return "anyone may read this"
