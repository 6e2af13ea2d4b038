package channel

import (
	"errors"
	"fmt"
	"net/url"
)

// withoutAddress removes the address, which may be a secret, from the error of a request.
func withoutAddress(err error) error {
	if tooLong(err) {
		return fmt.Errorf("it did not answer within %v", tryFor)
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
