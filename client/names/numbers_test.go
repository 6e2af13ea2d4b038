package names

import (
	"slices"
	"testing"
)

func TestCompareNumbersOrdersIDsByValue(t *testing.T) {
	t.Parallel()
	ids := []string{"10", "2", "x", "1", "a", "18446744073709551616", "02"}
	slices.SortFunc(ids, CompareNumbers)
	if want := []string{"1", "02", "2", "10", "18446744073709551616", "a", "x"}; !slices.Equal(ids, want) {
		t.Errorf("got %q, want %q", ids, want)
	}
}
