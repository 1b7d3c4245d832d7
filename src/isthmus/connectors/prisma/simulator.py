"""stub"""


class PrismaSimulator: ...
