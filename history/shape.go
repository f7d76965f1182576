package history

// Shape is what many events of a block have in common. What it means is found out once, and not for each event.
type Shape struct {
	Kind      Kind
	Outcome   Outcome
	Has       Columns // which columns hold a value for each of these events
	Attempt   uint32
	Op        Ref
	Step      Ref
	Component Ref
}

// Columns is a set of those columns that hold a value for each event of a shape, as bits. They are stored in this order.
type Columns uint8

// The columns.
const (
	HasUnit Columns = 1 << iota
	HasActor
	HasKey
	HasValue
	HasTrace
	HasToken
	HasAt

	numColumns = 7
	allColumns = 1<<numColumns - 1
)
