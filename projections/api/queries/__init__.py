"""Questions over HTTP, a module a subject: its resources, its routes, what it answers.

A list is a table of the read side with its filters (`resources`); what no table holds is worked out
by the application, in a thread.
"""
