"""Tables: what compiled frameworks evaluate, and how a schedule is lowered to one."""
