# Hostile sizes for the template: what happens once in 64 tasks happens at once.
# tests/model/template.h asserts that each of them took.
s/JOB_SEGMENT = 64/JOB_SEGMENT = 2/
s/JOB_SPARES = 64/JOB_SPARES = 1/
s/JOB_BOARD_SPARES = 64/JOB_BOARD_SPARES = 1/
s/JOB_LANES_MIN = 4/JOB_LANES_MIN = 1/
s/JOB_LANES_MAX = 64/JOB_LANES_MAX = 2/
s/JOB_BATCH = 32/JOB_BATCH = 2/
s/JOB_FAIRNESS = 61/JOB_FAIRNESS = 3/
s/JOB_LOOKS = [0-9]*/JOB_LOOKS = 2/
s/JOB_PAUSES = 16/JOB_PAUSES = 1/
s/JOB_CREDIT = 64/JOB_CREDIT = 2/
s/JOB_YIELDS = 16/JOB_YIELDS = 1/
