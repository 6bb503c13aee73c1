"""The labeling app: people compare pairs of clips in a browser or a terminal.

- `imitation.apps.preferences.server`: the web application over a label queue.
- `imitation.apps.preferences.guard`: who may talk to it, and how much.
- `imitation.apps.preferences.serving`: runs it on a port.
- `imitation.apps.preferences.terminal`: the same without a browser.
- ``static/``: the page; plain HTML, CSS and JavaScript, served as it is.
"""
