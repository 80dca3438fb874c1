package sklearn

// transformerOf returns the compiler of a transformer class, nil for a class that is not understood.
func transformerOf(class string) func(*compiler, *attributes, matrix) matrix {
	switch class {
	case "sklearn.pipeline.Pipeline", "imblearn.pipeline.Pipeline":
		return (*compiler).pipelineTransform
	case "sklearn.pipeline.FeatureUnion":
		return (*compiler).featureUnion
	case "sklearn.compose._column_transformer.ColumnTransformer":
		return (*compiler).columnTransformer
	case "sklearn.preprocessing._data.StandardScaler":
		return (*compiler).standardScaler
	case "sklearn.preprocessing._data.MinMaxScaler":
		return (*compiler).minMaxScaler
	case "sklearn.preprocessing._function_transformer.FunctionTransformer":
		return (*compiler).functionTransformer
	case "sklearn.preprocessing._encoders.OneHotEncoder":
		return (*compiler).oneHotEncoder
	case "sklearn.preprocessing._encoders.OrdinalEncoder":
		return (*compiler).ordinalEncoder
	case "sklearn.impute._base.SimpleImputer":
		return (*compiler).simpleImputer
	}
	return nil
}
