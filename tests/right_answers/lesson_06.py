"""Right answers to the exercises of lesson 06, in other styles than those of the solutions."""


def loads_the_variable(session, variable):
    def set_value(value):
        with session.graph.as_default():
            variable.load(value, session)

    return set_value


RIGHT = [("06.3", "loads the variable", loads_the_variable)]
