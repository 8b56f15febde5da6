"""Mini PacMan once more: one game in plain Python, from the rules, to hold the batch against."""

MAZE = [
    "###################",
    "#...#.........#...#",
    "#.#.#.#######.#.#.#",
    "#.................#",
    "#.#.#.#######.#.#.#",
    "#.#.............#.#",
    "#.####.#####.####.#",
    "#......#####......#",
]
MAZE += MAZE[-2::-1]
FREE = [(row, column) for row in range(15) for column in range(19) if MAZE[row][column] == "."]
OPEN = set(FREE)
WAYS = [(0, 1), (-1, 0), (0, -1), (1, 0)]
MODES = {  # step, food, pill, ghost, death, ends, steps
    "regular": (0, 1, 2, 5, 0, "food", None),
    "avoid": (0.1, -0.1, -5, -10, -20, "food", 128),
    "hunt": (0, 0, 1, 10, -20, "ghosts", None),
    "ambush": (0, -0.1, 0, 10, -20, "ghosts", None),
    "rush": (0, -0.1, 10, 0, 0, "pills", None),
}
MASK = 2**64 - 1


class SplitMix64:
    def __init__(self, seed):
        self.state = seed
        self.state = self.next_bits()

    def next_bits(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        return mixed ^ (mixed >> 31)

    def uniform(self):
        return (self.next_bits() >> 11) / 2**53

    def which(self, many):
        return many[int(self.uniform() * len(many))]


def ahead(cell, way):
    return cell[0] + WAYS[way][0], cell[1] + WAYS[way][1]


def exits(cell):
    return [way for way in range(4) if ahead(cell, way) in OPEN]


class PlainGame:
    def __init__(self, mode, frame_cap, seed):
        self.step_reward, self.food_reward, self.pill_reward, self.ghost_reward, self.death_reward = MODES[
            mode
        ][:5]
        self.ends, self.most_steps = MODES[mode][5:]
        self.frame_cap = frame_cap
        self.random = SplitMix64(seed)
        self.begin()

    def begin(self):
        self.frames, self.level, self.dead = 0, 0, False
        self.next_level()

    def next_level(self):
        self.level += 1
        self.level_frames = self.power = 0
        self.food = set(FREE)
        first = self.random.which(FREE)
        second = self.random.which([cell for cell in FREE if cell != first])
        self.pills = {first, second}
        self.pacman = self.random.which(FREE)
        row, column = self.pacman
        far = [
            cell
            for cell in FREE
            if cell[0] not in range(row - 5, row + 5) or cell[1] not in range(column - 5, column + 5)
        ]
        self.ghosts = []
        for _ in range(1 + (self.level - 1) // 2):
            cell = self.random.which(far)
            self.ghosts.append([cell, self.random.which(exits(cell))])

    @property
    def over(self):
        return self.dead or self.frames >= self.frame_cap

    def step(self, action):
        """Return the reward and the events of the step."""
        events = dict.fromkeys(("food", "pills", "ghosts", "deaths", "levels"), 0)
        if self.over:
            return 0.0, events
        self.frames += 1
        self.level_frames += 1
        self.power = max(0, self.power - 1)
        if action and ahead(self.pacman, action - 1) in OPEN:
            self.pacman = ahead(self.pacman, action - 1)
        if self.pacman in self.food:
            self.food.remove(self.pacman)
            events["food"] = 1
        if self.pacman in self.pills:
            self.pills.remove(self.pacman)
            self.power = 20
            events["pills"] = 1
        if not {"food": self.food, "pills": self.pills, "ghosts": True}[self.ends]:
            events["levels"] = 1
        else:
            events |= self.ghosts_turn()
            if self.ends == "ghosts" and not [ghost for ghost in self.ghosts if ghost]:
                events["levels"] = 1
            if self.level_frames == self.most_steps and not self.dead:
                events["levels"] = 1
        if events["levels"]:
            self.next_level()
        reward = (
            self.step_reward
            + self.food_reward * events["food"]
            + self.pill_reward * events["pills"]
            + self.ghost_reward * events["ghosts"]
            + self.death_reward * events["deaths"]
        )
        return reward, events

    def ghosts_turn(self):
        drawn = [[self.random.uniform() for _ in range(3)] for _ in self.ghosts]
        for number, (ghost, draws) in enumerate(zip(self.ghosts, drawn)):
            if ghost is None:
                continue
            speed = 0.5 + 0.1 * (self.level - 1)
            if ghost[0] != self.pacman and draws[0] < (speed * 0.5 if self.power else speed):
                self.move(ghost, draws[1], draws[2])
            if ghost[0] == self.pacman:
                if self.power:
                    self.ghosts[number] = None
                    return {"ghosts": 1}
                self.dead = True
                return {"deaths": 1}
        return {}

    def move(self, ghost, strays, way):
        cell, looks = ghost
        ways = exits(cell)
        if len(ways) == 2 and looks in ways:
            ways = [looks]
        else:
            ways = [one for one in ways if one != (looks + 2) % 4]
        to_pacman = self.pacman[0] - cell[0], self.pacman[1] - cell[1]
        products = [WAYS[one][0] * to_pacman[0] + WAYS[one][1] * to_pacman[1] for one in ways]
        if self.power:
            chosen = ways[products.index(min(products))]
        elif strays < 0.05:
            chosen = ways[int(way * len(ways))]
        else:
            chosen = ways[products.index(max(products))]
        ghost[:] = ahead(cell, chosen), chosen

    def planes(self):
        """The six planes of the authors, by (plane, row, column); cells that are missing are 0."""
        shown = {(0, row, column): 1 for row in range(15) for column in range(19) if MAZE[row][column] == "#"}
        shown |= {(1, *cell): 1 for cell in self.food}
        shown[(2, *self.pacman)] = 1
        for ghost in self.ghosts:
            if ghost:
                shown[(3, *ghost[0])], shown[(4, *ghost[0])] = 1 - self.power / 20, self.power / 20
        shown |= {(5, *cell): 1 for cell in self.pills}
        return shown

    def rgb(self):
        """The colours by (row, column)."""
        planes, shown = self.planes(), {}
        for cell in ((row, column) for row in range(15) for column in range(19)):
            pacman, pill, food = (planes.get((plane, *cell), 0) for plane in (2, 5, 1))
            hunts, edible = planes.get((3, *cell), 0), planes.get((4, *cell), 0)
            if pacman:
                shown[cell] = 0, 1, 0
            elif hunts or edible:
                shown[cell] = hunts + edible, edible, 0
            elif pill or food:
                shown[cell] = 0, pill, 1
            else:
                shown[cell] = (planes.get((0, *cell), 0),) * 3
        return shown
