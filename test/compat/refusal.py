"""What a call has to end with in these programs."""


def refused(error, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except error:
        return
    raise AssertionError(f"{call.__name__}{args}{kwargs} was not refused")
