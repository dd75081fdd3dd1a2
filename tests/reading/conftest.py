from tests.played import copied, played

__all__ = ["copied", "played"]
