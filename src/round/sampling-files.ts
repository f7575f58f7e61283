/** Question type → requests drawn, in the folder of the step `sample`. */
export const requestsByTypeFile = 'requests_by_type.json';
