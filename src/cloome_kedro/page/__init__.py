"""A page for the browser that asks trained models: `cloome serve`. See :func:`cloome_kedro.page.app.create_app`.

It needs the extra ``page`` (FastAPI, uvicorn, python-multipart) and the extra ``index``.
"""
