package example.inpaint

import android.content.res.AssetManager
import android.graphics.Bitmap
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import kotlin.math.roundToInt

/**
 * Fills the hole of a photo with a TFLite file that was exported for one size.
 *
 * @param assets the assets with `model`, which has the signature `complete_SIDExSIDE`.
 */
class Completer(assets: AssetManager, model: String = "model.tflite", private val side: Int = 256) :
    AutoCloseable {

    private val signature = "complete_${side}x$side"
    private val compiled = CompiledModel.create(assets, model, CompiledModel.Options(Accelerator.CPU))

    // By name, since the converter chooses the order of the inputs.
    private val image = compiled.createInputBuffer("image", signature)
    private val mask = compiled.createInputBuffer("mask", signature)
    private val completed = compiled.createOutputBuffer("completed", signature)

    /**
     * Returns the photo with its hole filled; pixels outside the hole do not change.
     *
     * @param photo a bitmap of at least `side` by `side` pixels.
     * @param hole one value per pixel, row by row, true in the hole; the hole must fit into a window
     *   of `side` by `side` pixels.
     */
    fun complete(photo: Bitmap, hole: BooleanArray): Bitmap {
        require(hole.size == photo.width * photo.height) { "hole must have one value per pixel, got ${hole.size}" }
        require(photo.width >= side && photo.height >= side) {
            "photo must be at least $side pixels wide and high, got ${photo.width} x ${photo.height}"
        }
        val result = photo.copy(Bitmap.Config.ARGB_8888, true)
        val marked = hole.indices.filter { hole[it] }
        if (marked.isEmpty()) return result
        val left = start(marked.minOf { it % photo.width }, marked.maxOf { it % photo.width }, photo.width)
        val top = start(marked.minOf { it / photo.width }, marked.maxOf { it / photo.width }, photo.height)

        val pixels = IntArray(side * side)
        photo.getPixels(pixels, 0, side, left, top, side, side)
        val inside = BooleanArray(side * side) { hole[(top + it / side) * photo.width + left + it % side] }
        image.writeFloat(FloatArray(3 * side * side) { channel(pixels[it / 3], it % 3) / 255f })
        mask.writeFloat(FloatArray(side * side) { if (inside[it]) 1f else 0f })
        compiled.run(mapOf("image" to image, "mask" to mask), mapOf("completed" to completed), signature)

        val generated = completed.readFloat()
        for (place in inside.indices) {
            if (!inside[place]) continue
            val (red, green, blue) = List(3) { (generated[3 * place + it] * 255).roundToInt().coerceIn(0, 255) }
            pixels[place] = (pixels[place] and (0xff shl 24)) or (red shl 16) or (green shl 8) or blue
        }
        result.setPixels(pixels, 0, side, left, top, side, side)
        return result
    }

    private fun start(first: Int, last: Int, length: Int): Int {
        require(last - first < side) { "the hole does not fit into $side pixels" }
        return ((first + last + 1 - side) / 2).coerceIn(0, length - side)
    }

    /** Red, green or blue of an ARGB pixel. */
    private fun channel(pixel: Int, number: Int) = pixel shr (16 - 8 * number) and 0xff

    override fun close() {
        image.close()
        mask.close()
        completed.close()
        compiled.close()
    }
}
