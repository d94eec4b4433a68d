package clr

import "strings"

// Exception is a .NET exception. It travels as a Go panic inside an evaluation
// and never leaves it: the program's Run returns it as an error.
type Exception struct {
	Type    *Type
	Message string
	Inner   *Exception
	Param   string // of ArgumentException
}

// Error is the exception as .NET prints it, without a stack trace.
func (e *Exception) Error() string { return e.Type.FullName() + ": " + e.Message }

// RuntimeType is the exception's type.
func (e *Exception) RuntimeType() *Type { return e.Type }

// Stop ends an evaluation that no catch clause may hold up: its budget is
// spent, or its context was cancelled.
type Stop struct {
	Reason string
	Cause  error // of the context, or nil
}

func (s *Stop) Error() string { return s.Reason }

// Unwrap gives the context's error.
func (s *Stop) Unwrap() error { return s.Cause }

func exception(name string, base *Type) *Type {
	i := strings.LastIndexByte(name, '.')
	access := AccessNone
	if name == "System.Exception" {
		access = AccessAll
	}
	return &Type{Space: name[:i], Name: name[i+1:], Kind: Class, Base: base, Access: access}
}

// The exception types.
var (
	ExBase          = exception("System.Exception", ObjectType)
	ExSystem        = exception("System.SystemException", ExBase)
	ExApplication   = exception("System.ApplicationException", ExBase)
	ExArgument      = exception("System.ArgumentException", ExSystem)
	ExArgumentNull  = exception("System.ArgumentNullException", ExArgument)
	ExOutOfRange    = exception("System.ArgumentOutOfRangeException", ExArgument)
	ExEncoder       = exception("System.Text.EncoderFallbackException", ExArgument)
	ExArithmetic    = exception("System.ArithmeticException", ExSystem)
	ExDivideByZero  = exception("System.DivideByZeroException", ExArithmetic)
	ExOverflow      = exception("System.OverflowException", ExArithmetic)
	ExFormat        = exception("System.FormatException", ExSystem)
	ExUriFormat     = exception("System.UriFormatException", ExFormat)
	ExInvalidCast   = exception("System.InvalidCastException", ExSystem)
	ExVariableCast  = exception("Gateway.UserVariableCastException", ExInvalidCast)
	ExInvalidOp     = exception("System.InvalidOperationException", ExSystem)
	ExDisposed      = exception("System.ObjectDisposedException", ExInvalidOp)
	ExKeyNotFound   = exception("System.Collections.Generic.KeyNotFoundException", ExSystem)
	ExIndex         = exception("System.IndexOutOfRangeException", ExSystem)
	ExNullReference = exception("System.NullReferenceException", ExSystem)
	ExNotSupported  = exception("System.NotSupportedException", ExSystem)
	ExNotImpl       = exception("System.NotImplementedException", ExSystem)
	ExArrayType     = exception("System.ArrayTypeMismatchException", ExSystem)
	ExRank          = exception("System.RankException", ExSystem)
	ExTimeout       = exception("System.TimeoutException", ExSystem)
	ExRegexTimeout  = exception("System.Text.RegularExpressions.RegexMatchTimeoutException", ExTimeout)
	ExTimeZone      = exception("System.TimeZoneNotFoundException", ExBase)
	ExInvalidZone   = exception("System.InvalidTimeZoneException", ExBase)
	ExCrypto        = exception("System.Security.Cryptography.CryptographicException", ExSystem)
	ExIO            = exception("System.IO.IOException", ExSystem)
	ExXML           = exception("System.Xml.XmlException", ExSystem)
	ExXPath         = exception("System.Xml.XPath.XPathException", ExSystem)
	ExJSON          = exception("Newtonsoft.Json.JsonException", ExBase)
	ExJSONReader    = exception("Newtonsoft.Json.JsonReaderException", ExJSON)
	ExJSONWriter    = exception("Newtonsoft.Json.JsonWriterException", ExJSON)
	ExJSONSerial    = exception("Newtonsoft.Json.JsonSerializationException", ExJSON)
)

// ExceptionTypes are all exception types, which sources may catch.
func ExceptionTypes() []*Type {
	return []*Type{
		ExBase, ExSystem, ExApplication, ExArgument, ExArgumentNull, ExOutOfRange, ExEncoder, ExArithmetic, ExDivideByZero,
		ExOverflow, ExFormat, ExUriFormat, ExInvalidCast, ExVariableCast, ExInvalidOp, ExDisposed, ExKeyNotFound, ExIndex,
		ExNullReference, ExNotSupported, ExNotImpl, ExArrayType, ExRank, ExTimeout, ExRegexTimeout, ExTimeZone,
		ExInvalidZone, ExCrypto, ExIO, ExXML, ExXPath, ExJSON, ExJSONReader, ExJSONWriter, ExJSONSerial,
	}
}

// Throw raises an exception of type t.
func Throw(t *Type, message string) {
	panic(&Exception{Type: t, Message: message})
}

// ThrowNull raises a NullReferenceException.
func ThrowNull() {
	Throw(ExNullReference, "Object reference not set to an instance of an object.")
}

// ThrowArg raises an ArgumentException, or a derived t, about a parameter.
func ThrowArg(t *Type, message, param string) {
	panic(&Exception{Type: t, Message: message + " (Parameter '" + param + "')", Param: param})
}

// ThrowArgNull raises the ArgumentNullException for a parameter.
func ThrowArgNull(param string) { ThrowArg(ExArgumentNull, "Value cannot be null.", param) }

// ThrowRange raises an ArgumentOutOfRangeException for a parameter; an empty
// message stands for the usual one.
func ThrowRange(param, message string) {
	if message == "" {
		message = "Specified argument was out of the range of valid values."
	}
	ThrowArg(ExOutOfRange, message, param)
}

// ThrowCast raises the InvalidCastException for a value of type from.
func ThrowCast(from, to *Type) {
	Throw(ExInvalidCast, "Unable to cast object of type '"+from.ReflectionName()+"' to type '"+to.ReflectionName()+"'.")
}

// ThrowIndex raises the IndexOutOfRangeException of arrays and strings.
func ThrowIndex() { Throw(ExIndex, "Index was outside the bounds of the array.") }

// ThrowRangePlain raises an ArgumentOutOfRangeException that names no parameter.
func ThrowRangePlain(message string) { Throw(ExOutOfRange, message) }
