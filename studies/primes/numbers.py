COLUMNS = ()
joined = None
