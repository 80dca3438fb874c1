package sklearn

// transformerOf returns the compiler of a transformer class, nil for a class that is not understood.
//
// Names are those by which pickle finds a class again: the module that defines it, which for scikit-learn is a
// private one. A class that moved between releases stands here once for each of its homes, PolynomialFeatures for
// one. Matching whole names rather than the last part keeps a custom class of the same name from being taken for
// scikit-learn's.
func transformerOf(class string) func(*compiler, *attributes, matrix) matrix {
	switch class {
	// All of these take the matrix through their steps in order; what else they do concerns fit and export.
	case "sklearn.pipeline.Pipeline", "imblearn.pipeline.Pipeline", "sklearn2pmml.pipeline.PMMLPipeline",
		"sklearn_pandas.pipeline.TransformerPipeline":
		return (*compiler).pipelineTransform
	case "sklearn.pipeline.FeatureUnion":
		return (*compiler).featureUnion
	case "sklearn.compose._column_transformer.ColumnTransformer":
		return (*compiler).columnTransformer
	case "sklearn.preprocessing._data.StandardScaler":
		return (*compiler).standardScaler
	case "sklearn.preprocessing._data.MinMaxScaler":
		return (*compiler).minMaxScaler
	case "sklearn.preprocessing._data.MaxAbsScaler":
		return (*compiler).maxAbsScaler
	case "sklearn.preprocessing._data.RobustScaler":
		return (*compiler).robustScaler
	case "sklearn.preprocessing._data.Normalizer":
		return (*compiler).normalizer
	case "sklearn.preprocessing._data.Binarizer":
		return (*compiler).binarizer
	case "sklearn.preprocessing._data.PowerTransformer":
		return (*compiler).powerTransformer
	case "sklearn.preprocessing._data.QuantileTransformer":
		return (*compiler).quantileTransformer
	case "sklearn.preprocessing._discretization.KBinsDiscretizer":
		return (*compiler).kBinsDiscretizer
	case "sklearn.preprocessing._polynomial.PolynomialFeatures", "sklearn.preprocessing._data.PolynomialFeatures":
		return (*compiler).polynomialFeatures
	case "sklearn.preprocessing._polynomial.SplineTransformer":
		return (*compiler).splineTransformer
	case "sklearn.preprocessing._function_transformer.FunctionTransformer":
		return (*compiler).functionTransformer
	case "sklearn.preprocessing._encoders.OneHotEncoder":
		return (*compiler).oneHotEncoder
	case "sklearn.preprocessing._encoders.OrdinalEncoder":
		return (*compiler).ordinalEncoder
	case "sklearn.preprocessing._target_encoder.TargetEncoder":
		return (*compiler).targetEncoder
	case "sklearn.impute._base.SimpleImputer":
		return (*compiler).simpleImputer
	case "sklearn.preprocessing._label.LabelEncoder":
		return (*compiler).labelEncoder
	case "sklearn.preprocessing._label.LabelBinarizer":
		return (*compiler).labelBinarizer
	case "sklearn.impute._knn.KNNImputer":
		return (*compiler).knnImputer
	case "sklearn.impute._iterative.IterativeImputer":
		return (*compiler).iterativeImputer
	case "sklearn.impute._base.MissingIndicator":
		return (*compiler).missingIndicator
	case "sklearn.decomposition._pca.PCA":
		return (*compiler).pca
	case "sklearn.decomposition._truncated_svd.TruncatedSVD":
		return (*compiler).truncatedSVD
	}
	if isSearch(class) {
		return (*compiler).searchTransform
	}
	if compile := wrapperOf(class); compile != nil {
		return compile
	}
	return selectorOf(class)
}

// wrapperOf is the part of [transformerOf] for the packages that stand around scikit-learn's estimators. Most of
// them only check or rename columns; what each does to a row is told in its own file.
func wrapperOf(class string) func(*compiler, *attributes, matrix) matrix {
	switch class {
	case mapperClass:
		return (*compiler).dataFrameMapper
	case "sklearn2pmml.decoration.ContinuousDomain":
		return (*compiler).continuousDomain
	case "sklearn2pmml.decoration.CategoricalDomain", "sklearn2pmml.decoration.OrdinalDomain":
		return (*compiler).discreteDomain
	case "sklearn2pmml.decoration.MultiDomain":
		return (*compiler).multiDomain
	// These and the aliases matter to whoever writes a PMML file, and to nobody else.
	case "sklearn2pmml.decoration.ContinuousDomainEraser", "sklearn2pmml.decoration.DiscreteDomainEraser":
		return (*compiler).unchanged
	case "sklearn2pmml.decoration.Alias", "sklearn2pmml.decoration.MultiAlias":
		return (*compiler).alias
	}
	return nil
}

// selectorOf is the part of [transformerOf] for those that keep some columns as they are. What they give are
// registers of their input; the only step that a mask costs is the check for NaN.
func selectorOf(class string) func(*compiler, *attributes, matrix) matrix {
	switch class {
	case "sklearn.feature_selection._variance_threshold.VarianceThreshold":
		return (*compiler).varianceThreshold
	case "sklearn.feature_selection._univariate_selection.SelectKBest",
		"sklearn.feature_selection._univariate_selection.SelectPercentile",
		"sklearn.feature_selection._univariate_selection.SelectFpr",
		"sklearn.feature_selection._univariate_selection.SelectFdr",
		"sklearn.feature_selection._univariate_selection.SelectFwe",
		"sklearn.feature_selection._univariate_selection.GenericUnivariateSelect":
		return (*compiler).univariate
	case "sklearn.feature_selection._from_model.SelectFromModel":
		return (*compiler).selectFromModel
	// Fit has left a mask, so that it does not matter how the columns were chosen.
	case "sklearn.feature_selection._rfe.RFE", "sklearn.feature_selection._rfe.RFECV",
		"sklearn.feature_selection._sequential.SequentialFeatureSelector":
		return (*compiler).recursive
	case "sklearn.frozen._frozen.FrozenEstimator":
		return (*compiler).frozenTransform
	}
	return nil
}

// isSearch tells the searches over parameters. All of them delegate to best_estimator_, whichever way the
// parameters were tried.
func isSearch(class string) bool {
	switch class {
	case "sklearn.model_selection._search.GridSearchCV", "sklearn.model_selection._search.RandomizedSearchCV",
		"sklearn.model_selection._search_successive_halving.HalvingGridSearchCV",
		"sklearn.model_selection._search_successive_halving.HalvingRandomSearchCV":
		return true
	}
	return false
}
