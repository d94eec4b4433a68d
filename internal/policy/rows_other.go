package policy

func validationRows() []Row  { return nil }
func cachingRows() []Row     { return nil }
func crossDomainRows() []Row { return nil }
func integrationRows() []Row { return nil }
func telemetryRows() []Row   { return nil }
func aiRows() []Row          { return nil }
func resolverRows() []Row    { return nil }
func internalRows() []Row    { return nil }
func conversionRows() []Row  { return nil }
