"""The HTTP API: questions answered from the read side, commands handed to billing.application.

Plain and thin: a router a subject. Each endpoint says whom it lets in (`access`), asks the read
model or the application (`deps`); whatever goes wrong is a problem with a sentence (`problems`).
"""
